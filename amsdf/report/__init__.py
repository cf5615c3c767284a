"""Results to what people look at: tables, pictures and the page."""
