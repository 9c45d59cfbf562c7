package seal

var MAC = mac
