"""Heads: named views to one embedding."""
