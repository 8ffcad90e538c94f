"""What a function costs: time and memory of its starts, and money in a month."""
