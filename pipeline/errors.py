"""Every error that peerscope raises on purpose.

    PeerscopeError                 exit code 5
    ├── UsageError                 2   the command or a setting cannot mean anything
    │   ├── SettingError               a setting has a value it cannot have
    │   └── QueryError                 a query that the sandbox refuses or DuckDB cannot run
    ├── InputError                 3   nothing could be read at all
    │   ├── MissingInputError          a path that is not there, or holds nothing to read
    │   └── SelectorError              a label selector that cannot be parsed
    ├── WarehouseError             3   the warehouse cannot be used as it is
    │   ├── LockedError            4   another job holds it
    │   ├── SchemaError                made by another version: migrate or use that version
    │   ├── NotPublishedError          there is no snapshot to read yet
    │   ├── ReconcileError             counts of a load do not add up; nothing was written
    │   └── SpaceError                 the disk would get too full; nothing was written
    ├── NotifyError                3   a receiver of notices did not take them
    ├── RulesetError               5   the grammar or the causes are wrong: which file, which rule, what to do
    └── DependencyError            2   an optional part is not installed; the message says how to get it

Catch ``PeerscopeError`` at the edge of a program: its text is written for the person at the keyboard and
names the input, the place in it and the remedy. A bad line, file or archive member is never an exception
that leaves the library: it becomes a row of ``rejects``.
"""

from __future__ import annotations


class PeerscopeError(Exception):
    """Base of all errors raised on purpose; ``exit_code`` is what the command line leaves with."""

    exit_code = 5


class UsageError(PeerscopeError):
    """What was asked cannot mean anything; the message says what would."""

    exit_code = 2


class SettingError(UsageError):
    """A setting has a value that it cannot have."""


class QueryError(UsageError):
    """A query that the read-only sandbox refuses, or that DuckDB could not run."""


class InputError(PeerscopeError):
    """Input that could not be read at all."""

    exit_code = 3


class MissingInputError(InputError):
    """A path that does not exist, or a folder or pattern that holds nothing to read."""


class WarehouseError(PeerscopeError):
    """The warehouse cannot be used as it is."""

    exit_code = 3


class LockedError(WarehouseError):
    """Another job holds the warehouse."""

    exit_code = 4


class SchemaError(WarehouseError):
    """The warehouse was made by a version with another schema."""


class NotPublishedError(WarehouseError):
    """No snapshot has been published yet."""


class ReconcileError(WarehouseError):
    """The counts of a load do not add up; the load was rolled back."""


class SpaceError(WarehouseError):
    """The disk would get too full; nothing was written."""


class NotifyError(PeerscopeError):
    """A receiver of notices refused them or did not answer; nothing was recorded as sent."""

    exit_code = 3


class RulesetError(PeerscopeError):
    """Rules, categories or causes that contradict themselves; names the file, the rule and what to do."""


class DependencyError(PeerscopeError):
    """An optional part is not installed; the message says how to get it."""

    exit_code = 2


class SelectorError(InputError):
    """A label selector that cannot be parsed; the message shows it with a caret below the place."""
