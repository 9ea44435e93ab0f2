"""The decoder, child process included, on good files and bad."""
