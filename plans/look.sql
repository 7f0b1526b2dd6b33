-- What must be true on the held state before it is promoted, and again at the end.
-- Replace it by a query about your own data, in one statement that returns true.
SELECT true
