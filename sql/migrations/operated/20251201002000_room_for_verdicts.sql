-- Every raw row is rewritten once, when it is judged. Half of each page stays free for that: the new version then lies
-- beside the old one, and neither of the two indexes is touched. What was written before stays as it is.

ALTER TABLE intake.simplicity_raw_rows SET (fillfactor = 50);
