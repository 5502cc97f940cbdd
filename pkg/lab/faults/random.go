package main

import "io"

func runRandom(out io.Writer, n int, seed uint64) (int, error) { return 0, nil }
