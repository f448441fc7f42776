// Command empty does nothing: it is what a Go program costs at least.
package main

func main() {}
