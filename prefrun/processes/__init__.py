"""One job over many processes of this machine, each with a device of its own."""
