"""Result folders that can be checked: a record of their files, and figures derived anew."""
