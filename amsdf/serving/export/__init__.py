"""A detector as an ONNX file that knows everything its answer needs; a runtime without torch."""
