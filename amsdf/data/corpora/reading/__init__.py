"""What readers of corpora are made with: protocols, their columns, templates, descriptions."""
