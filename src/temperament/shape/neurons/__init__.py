"""NPTI: neurons that fire more often under one pole of a trait than under the other, found and then moved."""
