"""One file per format. Each says what it `TAKES` of the options, and has `read` and `describe`."""
