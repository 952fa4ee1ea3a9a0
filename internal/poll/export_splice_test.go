package poll

// What tests of splicing must reach inside.

const MaxPipes = maxPipes

var TakePipe = takePipe
