"""Reads CSV files as courts and spreadsheets write them; pure."""
