"""The data ledger: writes a part of each disk that fio does not use, and checks that the data is still there."""
