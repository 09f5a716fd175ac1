"""The source side of a worker: from a task's `poll` to records in Kafka and committed source offsets.

`task` is what every source task does; `delivery` is the interface to how its records and offsets reach Kafka, and
`at_least_once` the way that needs no transactions.
"""
