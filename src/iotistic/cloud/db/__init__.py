"""Tables, transactions, migrations.

The SQL is SQLAlchemy core and portable. A write is a transaction from its first statement on
(`BEGIN IMMEDIATE` on SQLite), so what it reads cannot change under it there; where two
processes could still meet (another database, two transactions) the statement itself compares:
`UPDATE … WHERE used < max`, and looks at the number of rows.
"""
