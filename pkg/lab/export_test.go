package lab

// OnThread is for tests that enter namespaces of their own.
var OnThread = onThread
