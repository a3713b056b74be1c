"""The example: one year of a regulatory commission that standardizes how it runs its projects. All made up.

A chapter is a function that returns acts; `telling` sends them in the order of their days.
"""
