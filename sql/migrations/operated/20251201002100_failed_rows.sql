-- The refused rows of a batch are read page by page, in the order of the file. They are few among many.

CREATE INDEX simplicity_raw_rows_failed_idx ON intake.simplicity_raw_rows (batch_id, row_number)
    WHERE status = 'failed';
