module github.com/pseudods/pseudods

go 1.26
