module taciturn.test/pion

go 1.19
