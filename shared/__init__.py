"""What lender and LSP have in common: the protocol, its catalogue of messages, and the node they run on."""
