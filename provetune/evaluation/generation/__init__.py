"""Scores of generated texts against references: BLEU, chrF, ROUGE and METEOR.

Each score is a function of rows: statistics that are summed over rows (BLEU, chrF) or one value a row whose mean is
the score (ROUGE, METEOR), so that intervals and claims can be made of them.
"""
