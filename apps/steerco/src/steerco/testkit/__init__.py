"""What specs of the import are made of."""
