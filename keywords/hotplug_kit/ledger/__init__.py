"""The data ledger: what was written to a part of each disk that fio leaves alone, and whether it is still there."""
