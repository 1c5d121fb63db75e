"""Everything the app asks the snapshot. Each function returns a ``Query``: its text, its values, never its rows.

Pages hold no SQL; what a page shows can be copied as SQL and opened in the console because the text is here.
"""
