"""An editor for SQL that suggests the rest of a word."""

from __future__ import annotations

import re

from textual.widgets import TextArea

WORDS = (
    *("SELECT", "FROM", "WHERE", "GROUP BY", "ORDER BY", "LIMIT", "HAVING", "JOIN", "LEFT JOIN", "USING", "ON", "AS"),
    *("AND", "OR", "NOT", "IN", "BETWEEN", "LIKE", "IS NULL", "IS NOT NULL", "DISTINCT", "DESC", "ASC", "ALL"),
    *("count(*)", "avg(", "sum(", "min(", "max(", "median(", "stddev(", "corr(", "quantile_cont(", "round(", "abs("),
    *("CASE WHEN", "THEN", "ELSE", "END", "WITH", "UNION ALL", "EXPLAIN", "DESCRIBE", "SHOW TABLES", "SUMMARIZE"),
)


class SQLEditor(TextArea):
    """Right takes a suggestion."""

    def __init__(self, id: str | None = None) -> None:
        super().__init__(id=id, compact=True, soft_wrap=True, show_line_numbers=False)
        self.cursor_blink = False
        self._tables: list[str] = []
        self._columns: list[str] = []

    def know(self, tables: list[str], columns: list[str]) -> None:
        """Names from the catalogue, suggested before words of SQL: tables where one is due, columns elsewhere."""
        self._tables, self._columns = tables, columns

    def fitting(self) -> list[str]:
        """Words that begin as the one before the cursor does; all when there is none."""
        typed = self._typed().lower()
        row, column = self.cursor_location
        before = " ".join([*self.text.split("\n")[:row], self.document.get_line(row)[: column - len(typed)]])
        of_table = re.search(r"(from|join|describe)\s*$", before, re.IGNORECASE) is not None
        names = self._tables + self._columns if of_table else self._columns + self._tables
        return [word for word in (*names, *WORDS) if word.lower().startswith(typed) and word.lower() != typed]

    def complete(self, word: str) -> None:
        """Puts a word in the place of the one before the cursor."""
        row, column = self.cursor_location
        self.replace(word, (row, column - len(self._typed())), (row, column))

    def update_suggestion(self) -> None:
        """What is shown faintly behind the cursor."""
        typed = self._typed()
        fits = self.fitting() if len(typed) > 1 else []
        row, column = self.cursor_location
        rest = self.document.get_line(row)[column:]
        word = fits[0][len(typed) :] if fits and not rest[:1].isalnum() else ""
        self.suggestion = word.lower() if word and typed.islower() else word

    def _typed(self) -> str:
        row, column = self.cursor_location
        found = re.search(r"[A-Za-z_][A-Za-z_0-9]*$", self.document.get_line(row)[:column])
        return found[0] if found else ""
