"""The LSP (OCEN 4: Loan Agent): asks lenders for its borrowers, and takes their callbacks."""
