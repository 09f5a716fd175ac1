"""Records as rows: values as each database's driver takes them, by functions that are compiled once per schema."""
