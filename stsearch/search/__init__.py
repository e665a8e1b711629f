"""From a query to ranked hits: the language, its encoder, scoring, phrases, ranking, filters. No torch."""
