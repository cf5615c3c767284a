"""Score files to results: figures with intervals, breakdowns, fusion, comparison, studies."""
