-- Memos are asked for by a job of their own, one at a time: a language model that is slow or fails delays no figure.

INSERT INTO ops.job_types (job_type, max_running) VALUES ('enforcement_memos', 1);
