"""Files for CI systems, a module for each: plans of what is proposed, deploys of one branch."""
