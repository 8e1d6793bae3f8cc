"""What the verbs of the command line find out and print."""
