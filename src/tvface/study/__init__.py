"""The study: does a model over time beat one that sees single frames, on people whose truth is known?"""
