"""What tests of several services share: a database of their own, a bus that records, neighbours."""
