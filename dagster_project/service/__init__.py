"""HTTP for people: the pages of a home, read-only, on this machine."""
