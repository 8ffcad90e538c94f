"""The providers: what each must offer, which there are, and a room for each."""
