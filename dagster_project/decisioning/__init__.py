"""Stage 3: dbt says which issues there are, how severe, caused by what and what to do first."""
