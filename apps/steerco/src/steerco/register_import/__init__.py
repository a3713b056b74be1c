"""Taking over a register: read, check, compare with what is there, send what differs, remember, report."""
