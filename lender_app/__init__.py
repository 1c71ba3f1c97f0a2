"""The lender: takes what LSPs ask and answers by callback."""
