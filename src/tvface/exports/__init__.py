"""Files for other tools: SMPL-X-style parameters, the NoW and REALY benchmarks' layouts. See docs/exports.md."""
