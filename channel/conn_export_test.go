package channel

// AppendHeader appends the header of a frame.
var AppendHeader = appendHeader
