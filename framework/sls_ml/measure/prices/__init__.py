"""Price tables as data: a JSON file per provider, each price with unit and page, all with a date."""
