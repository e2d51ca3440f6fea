"""One file a scheduler: text in, text out; they run nothing themselves."""
