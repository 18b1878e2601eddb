"""A search for the configuration: the space, the study that remembers its trials, the table and picture it leaves."""
