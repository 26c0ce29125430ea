"""The ledger: the transactional record of outbound writes, their attempts, the audit log and the event outbox."""
