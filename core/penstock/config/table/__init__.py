"""The one table of a worker's settings: what is parsed, warned about, refused and documented all comes from it."""

from penstock.config.table.client import CLIENT_ROWS
from penstock.config.table.connect import CONNECT_ROWS
from penstock.config.table.distributed import DISTRIBUTED_ROWS
from penstock.config.table.own import OWN_ROWS
from penstock.config.table.prefixes import PREFIXES, Prefix
from penstock.config.table.row import Mode, Row, Treatment
from penstock.config.table.security import SECURITY_ROWS

__all__ = ["PREFIXES", "ROWS", "SECTIONS", "Mode", "Prefix", "Row", "Treatment"]

#: Section title → its settings, in the order of the documentation.
SECTIONS = {
    "Connect": CONNECT_ROWS,
    "Distributed mode": DISTRIBUTED_ROWS,
    "Connection to Kafka": CLIENT_ROWS,
    "Security": SECURITY_ROWS,
    "penstock's own": OWN_ROWS,
}
#: Every setting by name.
ROWS = {row.name: row for rows in SECTIONS.values() for row in rows}
